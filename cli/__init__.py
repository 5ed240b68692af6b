"""What people type: a file for each command, imported when that command is called.

A command's file imports at its top the modules that it needs, whole (`from launcher import datadir`): they are loaded
when the command uses them (`cli/deferred.py`), so that its help page does not wait for them. What an extra brings
(torch, simplejpeg, all of training) it imports when it runs, so that its help works where the extra is not installed.
"""
