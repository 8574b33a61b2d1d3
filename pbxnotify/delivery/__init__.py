"""From the durable event to the relay's answer."""
