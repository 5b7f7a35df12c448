"""From finding to notice: rules without input or output."""
