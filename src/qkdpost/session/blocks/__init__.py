"""The blocks of a connection: state, stages, report."""
