/// What the engine is told by the configuration.
package struct EngineSettings: Sendable {
    package var rules: [Rule] = []
    /// What a person calls an identity.
    package var label = "id"
    package var vip: String?
    /// How long somebody stays important after they were last seen to be.
    package var vipFor = VIPCatch.stickyFor
    package var env: [String: String] = [:]
    /// Between two syncs of a kind; nil: by hand only.
    package var full: Duration?
    package var delta: Duration?
    /// Writes that are under way at once. Default: 4.
    package var writesAtOnce = 4

    package init() {}
}
