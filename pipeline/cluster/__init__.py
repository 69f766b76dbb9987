"""Many tasks at once, by Dask: on this machine, on a running Dask cluster, or by a cluster's queue.

A function and its arguments enter; what each call returned leaves as it ends, with the worker's name and the time. What
a task is (a scan, a training) is the caller's: it must be one that can be repeated, and goes on where it was killed.
Dask and what belongs to it is imported here only.
"""

from pipeline.cluster.pool import Pool
from pipeline.cluster.tasks import Done, in_tasks
