"""The wire formats: a request → a JSON body, a JSON body → a reply."""
