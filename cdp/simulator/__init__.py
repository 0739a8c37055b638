"""The sample shop: invented people, products and journeys whose truth is known."""
