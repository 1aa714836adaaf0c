"""One outside technology a module; each keeps a port's promises."""
