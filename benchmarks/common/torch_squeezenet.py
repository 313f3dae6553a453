"""python3-torch's side of a comparison: SqueezeNet v1.1 and one step of its training, as
our trainer does it."""
import torch
import torchvision


class Training:
    """A fresh network in the memory `layout`, and its SGD."""

    def __init__(self, classes, layout):
        self.model = torchvision.models.squeezenet1_1(num_classes=classes)
        self.model = self.model.to(memory_format=layout).train()
        weights = [p for p in self.model.parameters() if p.dim() > 1]
        biases = [p for p in self.model.parameters() if p.dim() == 1]
        self.sgd = torch.optim.SGD([{"params": weights, "weight_decay": 0.0002},
                                    {"params": biases}], lr=1e-3, momentum=0.9)

    def step(self, pictures, labels):
        loss = torch.nn.functional.cross_entropy(self.model(pictures), labels)
        loss.item()
        self.sgd.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2)
        self.sgd.step()
