"""The trainer of the record matcher; heavy libraries live here, the scorer is in the domain."""
