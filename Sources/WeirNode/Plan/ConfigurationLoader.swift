package import WeirSettings
package import WeirWorld

/// Reads a configuration: the file or folder, then the environment over it, then the settings.
package struct ConfigurationLoader: Sendable {
    private let files: any FileSystem
    private let environment: [String: String]
    private let secrets: (any SecretResolver)?

    /// - Parameter secrets: `nil` leaves them unresolved (`weir check --offline`).
    package init(files: any FileSystem, environment: [String: String], secrets: (any SecretResolver)?) {
        self.files = files
        self.environment = environment
        self.secrets = secrets
    }

    /// What was read; `settings` is `nil` when there was an error among the problems.
    package struct Loaded: Sendable {
        package var settings: NodeSettings?
        package var provenance: SettingProvenance
        package var problems: [SettingProblem]
    }

    package func load(path: String) -> Loaded { settle(YAMLReader().read(path: path, files: files)) }

    /// The same for a text that is no file: `weir demo`, documentation, tests.
    package func load(text: String, file: String) -> Loaded { settle(YAMLReader().read(text: text, file: file)) }

    private func settle(_ file: YAMLReader.Result) -> Loaded {
        guard let node = file.node else {
            return Loaded(settings: nil, provenance: SettingProvenance(), problems: file.problems)
        }
        // Keys written twice leave the tree whole: what else is wrong is told in the same breath.
        let whole = EnvironmentReader(environment).overlay(node, shape: NodeSettings.shape)
        var reading = SettingReading(secrets: secrets)
        for problem in file.problems + whole.problems { reading.note(problem) }
        let complete = ConnectorEnvironment(environment).overlay(whole.node ?? node)
        let settings = NodeSettings.read(complete, &reading)
        return Loaded(
            settings: reading.errors == 0 ? settings : nil, provenance: reading.provenance,
            problems: reading.sortedProblems())
    }
}
