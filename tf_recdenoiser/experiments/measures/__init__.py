"""What may be measured of a trained model, one kind a file."""
