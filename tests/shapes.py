"""Small architectures for tests that need no model."""

from fedray.adapters import BackboneShape, HeadTensor, LoraTarget


def shape(layers: int = 4, hidden: int = 8, labels: int = 3) -> BackboneShape:
    return BackboneShape(
        name="tiny",
        layers=layers,
        hidden=hidden,
        heads=2,
        layer_prefix="encoder.layer",
        linears=((hidden, hidden),) * 4 + ((hidden, 4 * hidden), (4 * hidden, hidden)),
        activation_units=11.0,
        parameters=1000,
        targets=(LoraTarget("query", hidden, hidden), LoraTarget("value", hidden, hidden)),
        head=(HeadTensor("classifier.weight", (labels, hidden)), HeadTensor("classifier.bias", (labels,))),
    )
