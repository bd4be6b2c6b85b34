USES_lambda := services/iam services/logs sandbox
