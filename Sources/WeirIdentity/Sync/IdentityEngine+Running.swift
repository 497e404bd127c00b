import Logging
import WeirStore
import WeirWorld

// What happens by itself: syncs on time, expiry of what nobody decided, and those whose throttle or grace is over.

extension IdentityEngine {
    /// Between two looks at what is due.
    private static let lookEvery = Duration.seconds(1)
    /// After a sync that failed.
    private static let retryAfter = Duration.seconds(60)

    /// Runs syncs when they are due, until the task is cancelled. A sync that somebody else runs just then is as good.
    package func run() async {
        let start = world.time.now
        var nextFull = settings.full.map { start + min($0, .seconds(1)) }
        var nextDelta = settings.delta.map { start + $0 }
        while !Task.isCancelled {
            await expireDue()
            let now = world.time.now
            if let due = nextFull, let period = settings.full, now >= due {
                let isDone = await runByItself(.full)
                nextFull = world.time.now + (isDone ? period : min(period, Self.retryAfter))
                // A full sync has looked at everything that a delta would.
                if isDone { nextDelta = settings.delta.map { world.time.now + $0 } }
            } else if let due = nextDelta, let period = settings.delta, now >= due {
                let isDone = await runByItself(.delta)
                nextDelta = world.time.now + (isDone ? period : min(period, Self.retryAfter))
            }
            do { try await world.time.sleep(for: Self.lookEvery) } catch { return }
        }
    }

    /// - Returns: false where it should be tried again soon.
    private func runByItself(_ kind: SyncRequest.Kind) async -> Bool {
        do throws(IdentityRefusal) {
            let view = try await sync(SyncRequest(kind: kind, mode: .commit), progress: { _ in })
            world.log.info(
                "A sync has ended.",
                metadata: [
                    "sync": "\(view.id)", "sync.kind": "\(kind.rawValue)", "sync.identities": "\(view.identities)",
                ])
            return true
        } catch {
            if error.kind == .busy { return false }
            world.log.error(
                "A sync did not end well; it is tried again.",
                metadata: ["sync.kind": "\(kind.rawValue)", "error.kind": "\(error.code)", "error": "\(error.text)"])
            return false
        }
    }

    /// Clears or approves what nobody has decided in time. An approval by expiry runs in the next committed sync, like
    /// any other.
    package func expireDue() async {
        let (now, expiry) = (world.time.wall, expiryOfRules())
        do {
            let due = try await database.read { try HoldTable.hasExpired(at: now, $0) }
            guard due else { return }
            let count = try await database.write { database in
                try DecisionDesk(database: database, now: now, expiry: expiry).expire(only: nil)
            }
            guard count > 0 else { return }
            shownHolds = nil
            try await gates.refresh(database, at: now)
            world.log.notice("Held actions have expired.", metadata: ["actions": "\(count)"])
        } catch {
            world.log.error("Held actions could not be expired.", metadata: ["error": "\(error)"])
        }
    }
}
