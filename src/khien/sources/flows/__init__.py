"""Flow exports as they arrive: datagrams received, spooled, decoded."""
