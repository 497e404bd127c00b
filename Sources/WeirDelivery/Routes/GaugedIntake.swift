package import WeirFlow
import WeirGates
package import WeirWorld

/// An intake that can say whether it would take something now. The composed destinations choose by it.
package protocol GaugedIntake: Intake {
    /// False while its gate is held, whatever the reason.
    var isPassable: Bool { get }
    /// True where a batch of so many bytes would be taken at once.
    func hasRoom(for bytes: Int) -> Bool
    /// The largest batch, in bytes, that it takes at once when it is empty.
    var roomMost: Int { get }
    /// True where a refused batch was refused whole: where it is not divided among several.
    var takesWhole: Bool { get }
}

extension DeliveryChain: GaugedIntake {
    package var isPassable: Bool { !gateState.isHeld }
    package var roomMost: Int { bufferMost }
    package var takesWhole: Bool { true }
}

extension Routes: GaugedIntake {
    /// A router is held where one of its targets is: what it would hand on there would wait.
    package var isPassable: Bool { targets.allSatisfy { ($0 as? any GaugedIntake)?.isPassable ?? true } }
    package func hasRoom(for bytes: Int) -> Bool {
        targets.allSatisfy { ($0 as? any GaugedIntake)?.hasRoom(for: bytes) ?? true }
    }
    package var roomMost: Int { targets.compactMap { ($0 as? any GaugedIntake)?.roomMost }.min() ?? .max }
    package var takesWhole: Bool { false }
    private var targets: [any Intake] { rules.flatMap(\.to) + (otherwise.map { [$0] } ?? []) }
}

/// One intake in front of several, each of which may take any batch: each batch is placed with one of them.
package protocol ChoosingIntake: GaugedIntake {
    var members: [any GaugedIntake] { get }
    var time: any TimeSource { get }
    /// The member to be preferred among those that may be chosen, by place.
    func choose(among mayBeChosen: (Int) -> Bool) -> Int?
    func gave(_ batch: Batch, to place: Int)
}

extension ChoosingIntake {
    package var isPassable: Bool { members.contains { $0.isPassable } }
    package func hasRoom(for bytes: Int) -> Bool { members.contains { $0.isPassable && $0.hasRoom(for: bytes) } }
    package var roomMost: Int { members.map(\.roomMost).min() ?? .max }
    package var takesWhole: Bool { members.allSatisfy(\.takesWhole) }

    package func accept(_ batch: Batch, deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        let room = roomMost
        if batch.byteCount <= room || batch.count <= 1 { return try await place(batch, deadline) }
        if let deadline, deadline <= time.now {
            if deadline > .distantPast { return try await place(batch, deadline) }
            throw .full(Reason("larger_than_buffer", "The batch is larger than the buffer."), retryAfter: nil)
        }
        // Cut here and not by the member: a part belongs to one member, whatever happens to the others.
        var receipts: [Receipt] = []
        for run in batch.cuts(bytes: max(1, room / 4), events: .max) {
            receipts.append(try await place(batch.slice(run), deadline))
        }
        return .joined(receipts)
    }

    /// Offers the batch to those that have room, the preferred one first. When there is none, it waits at one of them,
    /// and looks round again from time to time: another may be well before the one it waits at. Each wait is longer
    /// than the one before, because whoever leaves a line must join it again at its end.
    private func place(_ batch: Batch, _ deadline: Moment?) async throws(IntakeRefusal) -> Receipt {
        let size = batch.byteCount
        var patience = Duration.seconds(1)
        while true {
            var isTried = Array(repeating: false, count: members.count)
            while let place = choose(among: { place in
                !isTried[place] && members[place].isPassable && members[place].hasRoom(for: size)
            }) {
                do throws(IntakeRefusal) {
                    let receipt = try await members[place].accept(batch, deadline: .distantPast)
                    gave(batch, to: place)
                    return receipt
                } catch {
                    // Somebody else was quicker, or it stops: the next one.
                    isTried[place] = true
                }
            }
            let last = choose(among: { members[$0].isPassable }) ?? choose(among: { _ in true }) ?? 0
            // A router might have handed on a part already: it is not left again.
            let looksRound = members[last].takesWhole
            let until = looksRound ? min(time.now + patience, deadline ?? .distantFuture) : deadline
            do throws(IntakeRefusal) {
                let receipt = try await members[last].accept(batch, deadline: until)
                gave(batch, to: last)
                return receipt
            } catch {
                guard looksRound, case .full = error, time.now < deadline ?? .distantFuture else { throw error }
                patience = min(patience * 2, .seconds(60))
            }
        }
    }
}
