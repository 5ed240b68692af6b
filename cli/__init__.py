"""What people type: a file for each command, imported when that command is called.

A command's file imports at its top what it needs, but for what an extra brings (torch, simplejpeg, all of training):
that it imports when it runs, so that its help and its completion work where the extra is not installed.
"""
