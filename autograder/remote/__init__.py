"""Objects across processes: typed wire, values, proxy, server, callbacks."""
