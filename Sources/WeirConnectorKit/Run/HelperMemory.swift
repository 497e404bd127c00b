/// What a helper knows, shared by the run, the pings and whoever asks. It decides what a ping's answer means.
struct HelperMemory: Sendable {
    var registration: Registration
    private(set) var state: ConnectorState?
    var report: ConnectorReport
    /// Works that were opened and not closed.
    var works: [Work] = []
    /// A push is not taken for want of room.
    var isHeld = false
    private var isRunning = false
    /// The platform changed the state while a run went on.
    private var isStateForeign = false

    init(registration: Registration, report: ConnectorReport) {
        self.registration = registration
        self.report = report
        state = ConnectorState(fromPlatform: registration.state)
    }

    /// What the next ping says.
    var pinged: (state: String?, report: ConnectorReport) {
        var report = report
        report.isBuffering = report.isBuffering || isHeld
        return (state?.text, report)
    }

    mutating func runBegins() {
        isRunning = true
        isStateForeign = false
    }

    mutating func runEnds() {
        isRunning = false
        isStateForeign = false
    }

    /// The connector sets its state.
    /// - Returns: false when it is not kept: since the run began, somebody has reset the state on the platform, and
    ///   what the run knows is from before.
    mutating func set(_ state: ConnectorState?) -> Bool {
        guard !isStateForeign else { return false }
        self.state = state
        return true
    }

    /// A ping was answered with what the platform has. When that is something else than what was sent, a person has
    /// reset or changed it there, and that counts.
    /// - Returns: true when the state is another one now.
    mutating func answered(sent: String?, remote: String?) -> Bool {
        let sent = ConnectorState(fromPlatform: sent)
        let remote = ConnectorState(fromPlatform: remote)
        guard sent != remote, sent?.object != remote?.object else { return false }
        state = remote
        isStateForeign = isRunning
        return true
    }
}
