"""Two methods for fedray: FedProx on LoRA, and FFA-LoRA."""
