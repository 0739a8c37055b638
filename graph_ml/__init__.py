"""Learning from the interaction graph. torch lives only here, and only below this file."""
