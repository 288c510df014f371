"""What a chip of a trained network would cost: its circuit's power and time constants, and constants with their sources."""
