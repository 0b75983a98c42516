"""What the world says of the sender before anything is sent: the DNS, and the way out."""
