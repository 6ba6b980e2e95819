"""What people read: nothing of a submission gets onto a page but as inert text."""
