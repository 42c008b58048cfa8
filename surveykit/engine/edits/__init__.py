"""What a recipe does to a live model: tensors beside, before and instead of the pretrained ones."""
