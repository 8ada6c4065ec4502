"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """Something outside the program is wrong. The message names the file, the thing and the remedy.

    The command line prints it without a traceback and exits with status 2.
    """
