"""fedray: emulate a fleet of edge devices on Ray and fine-tune language models across it with federated LoRA."""

__version__ = "0.2.0"
