"""What is known of flow records: how exporters write them, what floods look like in them. Free of input and output."""
