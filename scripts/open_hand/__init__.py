"""Parts of `scripts/build_open_hand.py` that stand alone: soft tissue, correctives, shape axes, nails, pictures."""
