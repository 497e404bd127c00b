internal import WeirWires
package import WeirWorld

extension Session {
    /// Takes credit for `wanted` bytes or less: write as many, in frames of `Settings.frameMost`. Zero means: wait for
    /// credit.
    package mutating func take(_ wanted: Int, of id: UInt32, at now: Moment) -> Int {
        guard let place = streams.index(forKey: id), !streams.values[place].hasFinished else { return 0 }
        let amount = min(wanted, streams.values[place].credit)
        guard amount > 0 else { return 0 }
        streams.values[place].credit -= amount
        streams.values[place].touched = now
        return amount
    }

    /// Credit that was taken and not used.
    package mutating func giveBack(_ amount: Int, of id: UInt32) {
        guard amount > 0 else { return }
        streams[id]?.credit += amount
    }

    /// True when both directions have ended and everything was taken.
    package func isForgotten(_ id: UInt32) -> Bool { streams[id] == nil }

    /// What may still be sent on a stream, in bytes.
    package func credit(of id: UInt32) -> Int { streams[id]?.credit ?? 0 }

    /// After the last data frame of a stream was written: no more will come. Finishing twice is finishing once.
    package mutating func finish(_ id: UInt32, at now: Moment) {
        guard var stream = streams[id], !stream.hasFinished else { return }
        stream.hasFinished = true
        stream.touched = now
        streams[id] = stream
        counts.finishesSent += 1
        send(YamuxHeader(.window, acceptance(id).union(.finish), stream: id))
        forgetIfDone(id)
    }

    /// Ends a stream at once in both directions.
    package mutating func reset(_ id: UInt32, _ reason: StreamReason) {
        guard streams[id] != nil else { return }
        counts.resetsSent += 1
        send(YamuxHeader(.window, .reset, stream: id, length: reason.rawValue))
        forget(id)
    }

    /// Takes a stream that the peer has opened.
    package mutating func accept(_ id: UInt32) {
        let flags = acceptance(id)
        guard !flags.isEmpty else { return }
        send(YamuxHeader(.window, flags, stream: id))
    }

    // An acceptance that is still owed travels with the next frame of its stream.
    mutating func acceptance(_ id: UInt32) -> YamuxHeader.Flags {
        guard let stream = streams[id], stream.owesAccept else { return [] }
        streams[id]?.owesAccept = false
        streams[id]?.isAccepted = true
        backlog -= 1
        return .accept
    }
}
