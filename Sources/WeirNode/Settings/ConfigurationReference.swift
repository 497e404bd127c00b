import WeirSettings

/// The configuration described: by the same fields that read it.
package enum ConfigurationReference {
    /// JSON Schema 2020-12, with a line feed at its end.
    package static var jsonSchema: String {
        Schema.document(of: NodeSettings.self, title: "Weir configuration", id: "weir.schema.json").json + "\n"
    }

    /// The reference page.
    package static var markdown: String {
        """
        # Configuration

        Made from the settings themselves by `weir schema --markdown`; do not edit. Sizes: `8MB` is 8,000,000 bytes,
        `8MiB` 8,388,608. Durations: `30s`, `1h30m`, `PT5H`. Secrets: `{ file: PATH }`, `{ env: NAME }`. Any key can be
        set by an environment variable, two underscores a level: `WEIR__DESTINATIONS__SIEM__BUFFER=16MiB`.

        \(Reference.page(NodeSettings.shape))
        """
    }
}
