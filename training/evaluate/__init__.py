"""Figures on labelled images, with their intervals, and the plots of them."""
