r"""Make the ImageNet weights of MobileNetV2 that the package holds, from a file of 3.6 MB.

    pip install tflite
    python benchmarks/imagenet_weights.py mobilenet_v2_1.0_224_quant.tflite FOLDER... \
        [--out semimtl_geo/networks/imagenet/mobilenet_v2.safetensors]

The file is of github.com/google-coral/test_data (Apache License 2.0): MobileNetV2, trained on
ImageNet with 8-bit weights, its BatchNorm folded into the convolutions. The 8-bit weights become
real numbers; the first convolution takes images normalised by ImageNet's mean and deviation; and
BatchNorm is put back: mean and variance of each layer are measured on images (folders of RGB
GeoTIFFs), scale and shift are those that leave the network's answers as they are. The result is a
state dict of torchvision's ``mobilenet_v2`` without its classifier, convolutions as float16.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import rasterio
import tflite
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])
EDGE = 224
TYPES = {tflite.TensorType.UINT8: np.uint8, tflite.TensorType.INT32: np.int32}
CONVOLUTIONS = (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D)


def convolutions(file: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Iterate over weights [1 or O, h, w, C] and biases [O] of the convolutions, in order."""
    model = tflite.Model.GetRootAsModel(file.read_bytes(), 0)
    graph = model.Subgraphs(0)

    def values(index: int) -> Tensor:
        tensor = graph.Tensors(index)
        stored = model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        numbers = np.frombuffer(stored, TYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
        coding = tensor.Quantization()
        real = (numbers - coding.ZeroPointAsNumpy().astype(np.float64)) * coding.ScaleAsNumpy()
        return torch.tensor(real, dtype=torch.float32)

    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        if model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() in CONVOLUTIONS:
            yield values(operator.Inputs(1)), values(operator.Inputs(2))


def unfolded(file: Path, images: Tensor) -> nn.Module:
    """Return torchvision's network with the weights of the file.

    Args:
        file: The TFLite file.
        images: float32 [N, 3, 224, 224], normalised.
    """
    network = torchvision.models.mobilenet_v2().eval()
    layers = [layer for layer in network.features.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in network.features.modules() if isinstance(layer, nn.BatchNorm2d)]
    inputs: dict[nn.Module, Tensor] = {}
    # The last convolution of the file is the classifier.
    for layer, norm, (weight, bias) in zip(layers, norms, convolutions(file), strict=False):
        order = (3, 0, 1, 2) if layer.groups > 1 else (0, 3, 1, 2)
        layer.weight.data.copy_(weight.permute(*order))
        norm.bias.data.copy_(bias)
        norm.eps = 0.0  # with mean 0 and variance 1, it adds the bias alone
        norm.register_forward_pre_hook(lambda own, given: inputs.__setitem__(own, given[0]))
    first = layers[0].weight.data
    # The file's images are in -1..1.
    norms[0].bias.data += (first * (2 * MEAN - 1)[:, None, None]).sum((1, 2, 3))
    first *= (2 * STD)[:, None, None]
    with torch.inference_mode():
        network.features(images)
    for norm in norms:
        norm.eps = 1e-5
        norm.running_mean = inputs[norm].mean((0, 2, 3)).clone()
        variance = inputs[norm].var((0, 2, 3), unbiased=False).clone()
        norm.running_var = variance + 1e-3 * variance.mean()
        norm.weight.data.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias.data += norm.running_mean
    return network


def read_images(folders: Sequence[Path]) -> Tensor:
    """Return crops of all images of some folders, normalised."""
    crops = []
    for file in sorted(file for folder in folders for file in folder.glob("*.tif")):
        with rasterio.open(file) as raster:
            image = torch.from_numpy(raster.read((1, 2, 3)).astype(np.float32) / 255)
        for top in range(0, image.shape[1] - EDGE + 1, EDGE):
            for left in range(0, image.shape[2] - EDGE + 1, EDGE):
                crops.append(image[:, top : top + EDGE, left : left + EDGE])
    return (torch.stack(crops) - MEAN[:, None, None]) / STD[:, None, None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("images", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument(
        "--out", type=Path, default=Path("semimtl_geo/networks/imagenet/mobilenet_v2.safetensors")
    )
    args = parser.parse_args()
    state = unfolded(args.file, read_images(args.images)).state_dict()
    save_file(
        {
            name: value.half() if value.ndim == 4 else value
            for name, value in state.items()
            if name.startswith("features.") and not name.endswith("num_batches_tracked")
        },
        args.out,
    )
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
