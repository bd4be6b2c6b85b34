# Bounds of their own: dynamodb_errors.c.
OVERRIDDEN_dynamodb := TableArn PositiveIntegerObject KeySchema
# The model calls them optional for the sake of a feature that is not served: tables made from another account's.
REQUIRED_dynamodb := CreateTableInput.AttributeDefinitions CreateTableInput.KeySchema
