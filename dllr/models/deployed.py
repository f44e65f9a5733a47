"""A trained network as one function of an image: for programs that know tensors and nothing else."""

import torch
from torch import Tensor, nn

from dllr.models.checkpoint import Trained

HEAD = "fused"
IMAGE, PROBABILITY = "image", "probability"  # names of what goes in and of what comes out


class Deployed(nn.Module):
    """The teacher with its normalisation and its temperature: an image in, probabilities out.

    scale, offset: reflectance = value × scale + offset of the optical bands, as files hold them.
    """

    def __init__(self, trained: Trained, scale: float, offset: float) -> None:
        super().__init__()
        self.network = trained.teacher.eval()
        self.temperature = trained.temperatures[HEAD]
        self.optical, self.sar = trained.optical, trained.sar
        self.bands = len(trained.optical_bands)
        self.scale, self.offset = scale, offset

    def forward(self, image: Tensor) -> Tensor:
        """Optical bands as files hold them, then SAR bands in the unit of training, (N, B, H, W) float32 →
        calibrated probabilities (N, K, H, W).

        A modality is missing where one of its bands is not a number, or all are 0. H and W are multiples
        of 32.
        """
        parts = image[:, : self.bands], image[:, self.bands :]
        valid = torch.stack([_known(part) for part in parts], 1)
        optical, sar = (torch.where(valid[:, m, None], part, 0.0) for m, part in enumerate(parts))
        optical = self.optical(optical * self.scale + self.offset)
        logits = self.network(optical, self.sar(sar), valid, heads=(HEAD,))[HEAD]
        found: Tensor = (logits / self.temperature).softmax(1)
        return found


def _known(bands: Tensor) -> Tensor:
    """(N, H, W) bool."""
    return ~torch.isnan(bands).any(1) & (bands != 0).any(1)
