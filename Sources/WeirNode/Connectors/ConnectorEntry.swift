package import WeirConnectors
package import WeirGates
package import WeirSettings

/// What all connectors that Weir runs itself have: when they run, how much they may bring, and where that goes.
package struct ManagedSettings: Settings {
    package var schedule = ScheduleSettings()
    package var hardLimit: ByteCount?
    package var workers = WorkerSettings()
    package var to: String?

    package init() {}

    package static let fields: [Field<Self>] =
        ScheduleSettings.fields.map { $0.within(\.schedule) } + [
            field(
                "hard_limit", \.hardLimit, examples: ["1GB"],
                "Bytes in its work queue from which on it waits in the middle of a run; twice the threshold unless set."
            )
        ] + WorkerSettings.fields.map { $0.within(\.workers) } + [
            field(
                "to", \.to, examples: ["siem"],
                "The destination of what it brings; through the routes when absent.")
        ]

    package func mistakes() -> [SettingMistake] {
        var mistakes = schedule.mistakes()
        if let hardLimit, hardLimit < schedule.queueThreshold.bytes {
            mistakes.append(
                SettingMistake(
                    "hard_limit",
                    "pushes would wait at \(hardLimit) before runs are put off at \(schedule.queueThreshold) MB",
                    help: "write at least as much as `queue_threshold`"))
        }
        return mistakes
    }
}

/// One connector as it was configured: its own settings and those that all have.
package struct ConnectorEntry: SettingUnion {
    package static let catalog = SettingCatalog(
        noun: "connector", common: ManagedSettings.self,
        kinds: [
            SettingKind(
                "http", HTTPConnectorSettings.self,
                "Fetches a URL: JSON, NDJSON, CSV, RSS and Atom, STIX bundles, TAXII 2.1; also files, for trials."),
            SettingKind("exec", ExecSettings.self, "Runs a program that prints events, one JSON object a line."),
        ])
    package var typed: TypedSettings<ManagedSettings>
    package init(_ typed: TypedSettings<ManagedSettings>) { self.typed = typed }
}

extension NodeSettings {
    /// False where no ledger is needed.
    var hasConnectors: Bool { openCTI != nil || !connectors.entries.isEmpty }
}

extension NodePlan {
    var connectorsSettings: ConnectorsSettings {
        var result = ConnectorsSettings()
        if let openCTI = settings.openCTI {
            result.marks = ConnectorGate.Marks(
                openCTI.queueThreshold, origin: openCTIThresholdOrigin, hardLimit: openCTI.hardLimit)
            for entry in openCTI.connectors.entries { result.set(entry.value, of: entry.name) }
        }
        for (name, common) in settings.connectors.entries.map({ ($0.name, $0.value.typed.common) }) {
            result.marksOf[name] = ConnectorGate.Marks(
                common.schedule.queueThreshold, origin: thresholdOrigins[name] ?? "default",
                hardLimit: common.hardLimit)
            result.set(common.workers, of: name)
        }
        return result
    }
}

extension ConnectorsSettings {
    fileprivate mutating func set(_ workers: WorkerSettings, of id: ConnectorID) {
        weightOf[id] = workers.weight
        priorityOf[id] = workers.priority
        attemptsMostOf[id] = workers.attemptsMost
    }
}
