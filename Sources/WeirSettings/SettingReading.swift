/// One pass over a configuration: gathers every problem and every value's origin while the fields are read.
package struct SettingReading: Sendable {
    /// More are counted, not kept: a file from outside could hold a hundred thousand mistakes.
    package static let problemsKept = 200

    package private(set) var problems: [SettingProblem] = []
    package private(set) var problemsDropped = 0
    package private(set) var errors = 0
    package internal(set) var provenance = SettingProvenance()
    /// Fetches what a secret refers to; `nil` leaves secrets unresolved (`weir check --offline`, `weir schema`).
    package var secrets: (any SecretResolver)?

    /// Where we are: `destinations.siem.urls[0]`.
    package private(set) var path = ""
    /// The last key that led here, for messages about something that is missing.
    package private(set) var holder: SettingOrigin = .standard
    private(set) var name = ""
    /// Literal secrets that were met: messages must not show them.
    private var secretPlaces: [SettingPlace] = []

    package init(path: String = "", secrets: (any SecretResolver)? = nil) {
        self.path = path
        self.secrets = secrets
    }

    package mutating func problem(
        _ message: String, at origin: SettingOrigin, help: String = "", severity: SettingProblem.Severity = .error
    ) {
        note(SettingProblem(message, severity: severity, at: origin, path: path, help: help))
    }

    package mutating func note(_ problem: SettingProblem) {
        if problem.severity == .error { errors += 1 }
        if problems.count < SettingReading.problemsKept {
            problems.append(problem)
        } else {
            problemsDropped += 1
        }
    }

    func hasProblem(under path: String) -> Bool { problems.contains { $0.path == path } }

    /// Goes one key down for the time of `body`.
    mutating func within<Value>(
        _ key: String, holder origin: SettingOrigin, value: SettingOrigin, _ body: (inout SettingReading) -> Value
    ) -> Value {
        step(path.isEmpty ? key : "\(path).\(key)", name: key, holder: origin, value: value, body)
    }

    /// Goes to one list item for the time of `body`.
    mutating func within<Value>(
        index: Int, value: SettingOrigin, _ body: (inout SettingReading) -> Value
    ) -> Value {
        step("\(path)[\(index)]", name: "\(name)[\(index)]", holder: value, value: value, body)
    }

    private mutating func step<Value>(
        _ path: String, name: String, holder: SettingOrigin, value: SettingOrigin,
        _ body: (inout SettingReading) -> Value
    ) -> Value {
        let before = (self.path, self.name, self.holder)
        (self.path, self.name, self.holder) = (path, name, holder)
        provenance.note(path, value, holder: holder)
        defer { (self.path, self.name, self.holder) = before }
        return body(&self)
    }

    /// The setting's name for messages: `` `concurrency` ``, or "the configuration" at the top.
    package var subject: String { name.isEmpty ? "the configuration" : "`\(name)`" }

    /// The shape of most messages: what was wanted, what is there.
    package mutating func wrongType(_ node: SettingNode, wants: String, help: String) {
        if node.isNull {
            problem("nothing is written after \(subject)", at: holder, help: help)
        } else {
            problem("\(subject) must be \(wants), not \(node.found)", at: node.origin, help: help)
        }
    }

    /// Remembers a literal secret, so that no message shows it.
    package mutating func conceal(_ origin: SettingOrigin) {
        if let place = origin.place, secretPlaces.count < 1_000 { secretPlaces.append(place) }
    }

    /// The problems in the order of the file, with literal secrets blotted out of the source lines.
    package func sortedProblems() -> [SettingProblem] {
        var sorted = problems.enumerated().sorted { left, right in
            guard let a = left.element.origin.place, let b = right.element.origin.place, a.file == b.file else {
                return left.offset < right.offset
            }
            return (a.line, a.column, left.offset) < (b.line, b.column, right.offset)
        }.map(\.element)
        for secret in secretPlaces {
            for index in sorted.indices {
                guard case .file(var place) = sorted[index].origin, place.file == secret.file, place.line == secret.line
                else { continue }
                place.text = SecretText.blot(place.text, column: secret.column, length: secret.length)
                sorted[index].origin = .file(place)
            }
        }
        if problemsDropped > 0 {
            sorted.append(
                SettingProblem(
                    "\(problemsDropped) more problems are not shown", severity: errors > 0 ? .error : .warning))
        }
        return sorted
    }
}
