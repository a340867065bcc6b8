"""HTTP of scheduler and reporter against their own OpenAPI descriptions: no answer that is not described there."""
