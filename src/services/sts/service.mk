USES_sts := services/iam
