"""The PocketNet family: known networks whose width stays the same at every level (Celaya et al., 2021)."""

from LightSegLib.networks.pocket.classifier import PocketClassifier
from LightSegLib.networks.pocket.densenet import PocketDenseNet
from LightSegLib.networks.pocket.hrnet import PocketHRNet
from LightSegLib.networks.pocket.nnunet import PocketNNUNet
from LightSegLib.networks.pocket.resnet import PocketResNet
from LightSegLib.networks.pocket.unet import PocketUNet

__all__ = ["PocketClassifier", "PocketDenseNet", "PocketHRNet", "PocketNNUNet", "PocketResNet", "PocketUNet"]
