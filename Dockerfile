# vlsenet in a container, for a GPU (NVIDIA driver on the host) or a CPU: docs/guide/cluster.md
#   docker build -t vlsenet .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/data" vlsenet segment scans/
# The tests don't build it.
FROM python:3.12-slim
# MLflow asks git what code a run is of
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
# torch's wheels bring CUDA along; the host needs the driver only. The sources are left out of the image
RUN --mount=type=bind,target=/source,rw --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint /source/constraints.txt '/source[cluster,export,scale_bar]'
# not root; whoever runs it as another user may write here, too: caches of matplotlib, torch and others
RUN useradd --create-home vlsenet && chmod 777 /home/vlsenet
# a name, too, for libraries that ask for that of a user whom the image does not know
ENV HOME=/home/vlsenet USER=vlsenet
USER vlsenet
WORKDIR /data
ENTRYPOINT ["vlsenet"]
