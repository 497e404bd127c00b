import Logging
import Synchronization
import WeirConnectors
import WeirDestinations
import WeirGates
import WeirSettings
import WeirStore
import WeirWorld

extension NodeConnectors {
    func runner(_ platform: Connectors) -> ScheduleRunner {
        platform.runner { [weak self] in self?.note($0) }
    }

    /// Registers the connectors of the configuration and gives their runs to the scheduler, with what is remembered.
    func addConfigured(_ parts: Parts) async throws {
        let managed = ManagedMeans(
            world: world, platform: parts.platform, http: means.http, group: means.eventLoops,
            scratch: directory + "/connectors/~scratch")
        for entry in plan.settings.connectors.entries {
            let typed = entry.value.typed
            var registration = ConnectorRegistration(id: entry.name, name: entry.name)
            registration.origin = typed.kind
            _ = try await parts.platform.register(registration)
            try await parts.platform.closeInterruptedWorks(of: entry.name)
            let run = FreshRun(
                run: ManagedRun(entry.name, importer(entry.name, typed.own, managed), managed), platform: parts.platform
            )
            parts.runner.add(
                entry.name, try typed.common.schedule.connectorSchedule(),
                memory: parts.platform.schedule(of: entry.name),
                isPaused: parts.platform.isHeld(entry.name), run: run)
        }
    }

    private func importer(
        _ id: ConnectorID, _ settings: any Settings, _ managed: ManagedMeans
    ) -> any ManagedImporter {
        switch settings {
        case let settings as HTTPConnectorSettings: return HTTPImporter(settings, managed)
        case let settings as ExecSettings: return ExecImporter(id, settings, managed, inherited: environment)
        default: preconditionFailure("the catalogue of connectors has a kind that it cannot make: \(settings)")
        }
    }

    private func note(_ report: RunReport) {
        switch report {
        case .started(let start):
            runs.withLock { $0[start.connector, default: Run()].since = world.time.wall }
            world.log.info(
                "A run begins.", metadata: ["connector": "\(start.connector)", "reason": "\(start.reason.rawValue)"])
        case .succeeded(let start, _):
            runs.withLock { $0[start.connector] = nil }
            world.log.info("A run has ended well.", metadata: ["connector": "\(start.connector)"])
        case .failed(let start, let failure):
            runs.withLock { $0[start.connector] = Run(failure: failure.reason) }
        case .stopped(let start): runs.withLock { $0[start.connector]?.since = nil }
        case .postponed: break
        }
    }
}

/// A run that begins with what is true at its beginning: a reset before it is done with.
private struct FreshRun: ConnectorRun {
    let run: any ConnectorRun
    let platform: Connectors

    func run(_ occasion: RunOccasion) async throws -> ScheduleMemory {
        platform.runBegins(occasion.start.connector)
        return try await run.run(occasion)
    }
}
