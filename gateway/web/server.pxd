# Compiled: every connection begins and ends here.
