"""What is learned and how one device learns it: data, partition, backbone, peft wiring, training, evaluation."""

import os

os.environ.setdefault("TQDM_DISABLE", "1")  # libraries' bars; read when tqdm is imported
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # a classifier's labels are ours, it need not say so

import torch

torch.set_num_threads(1)  # one thread per process: two spin against each other, and bits may depend on their number
