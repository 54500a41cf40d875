"""Ask about a recording on the web."""

from connect import connect, sample_url

model = connect()
reply = model.invoke(
    [
        {
            "role": "user",
            "content": [
                {"type": "audio", "url": sample_url()},
                {"type": "text", "text": "What is said in this recording?"},
            ],
        }
    ]
)
print(reply.text)
print(reply.usage_metadata)
