"""From one source to what students receive: build, new, notebooks."""
