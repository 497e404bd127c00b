/// Looks up the addresses of a host. The live one asks the operating system; tests bring their own.
package protocol AddressResolver: Sendable {
    /// The addresses as text (`10.0.0.5`, `2001:db8::1`), in a stable order; empty when there are none.
    func addresses(of host: String) async throws -> [String]
}
