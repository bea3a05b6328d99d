"""What is learned and how one device learns it: tasks, data, partition, backbone, peft wiring, training, evaluation.

Sections of a scenario live here, too, so the package itself does not import torch.
"""

import os

os.environ.setdefault("TQDM_DISABLE", "1")  # libraries' bars; read when tqdm is imported
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # a classifier's labels are ours, it need not say so
