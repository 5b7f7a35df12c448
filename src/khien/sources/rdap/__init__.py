"""Registration data over RDAP: what is asked, of whom, and how the answer is read."""
