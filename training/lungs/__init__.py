"""Where the lungs lie on a training image, without a mask drawn by anybody: sure cases first, then a small network."""
