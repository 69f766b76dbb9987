# vlsenet in a container, for a GPU (NVIDIA driver on the host) or a CPU: docs/guide/cluster.md
#   docker build -t vlsenet .
#   docker run --rm --gpus all -v "$PWD:/data" -w /data vlsenet segment scans/
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/vlsenet
COPY . .
# torch's wheels bring CUDA along; the host needs the driver only
RUN pip install --no-cache-dir --constraint constraints.txt '.[cluster,export,scale_bar]'
WORKDIR /data
ENTRYPOINT ["vlsenet"]
