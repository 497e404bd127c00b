package import WeirWorld

/// Waits for what another task, thread or process brings about, and looks every few milliseconds.
///
/// The limit ends a test that cannot succeed. It says nothing about speed: the machine may be busy with other things.
/// - Returns: whether it came about.
package func eventually(
    within limit: Duration = .seconds(60), _ time: any TimeSource = LiveTime(),
    _ condition: () async throws -> Bool
) async rethrows -> Bool {
    let end = time.now + limit
    while time.now < end {
        if try await condition() { return true }
        try? await time.sleep(for: .milliseconds(5))
    }
    return try await condition()
}
